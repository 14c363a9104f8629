"""TagResource, UntagResource and ListTagsForResource over the loop and the rows."""

from __future__ import annotations

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.store import Store
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns
from nbbatch.scheduler.commands.tags import tag_resource, tags_of, untag_resource
from nbbatch.wire.decode import decode_tags
from nbbatch.wire.encode_container import Json


class TagOperations:
    """Tags of whatever has an ARN."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store

    async def tag_resource(self, request: Json, _arns: Arns) -> Json:
        """TagResource: what is named is added or changed, the rest stays."""
        arn, tags = request["resourceArn"], decode_tags(request["tags"])
        await self._loop.apply(lambda state, _now: tag_resource(state, arn, tags, self._store))
        return {}

    async def untag_resource(self, request: Json, _arns: Arns) -> Json:
        """UntagResource: keys that are not there are passed over."""
        arn, keys = request["resourceArn"], request["tagKeys"]
        if not keys:
            raise ClientException("tagKeys: has no entries, and may have 1 to 50")
        await self._loop.apply(lambda state, _now: untag_resource(state, arn, keys, self._store))
        return {}

    async def list_tags_for_resource(self, request: Json, _arns: Arns) -> Json:
        """ListTagsForResource."""
        return {"tags": dict(tags_of(self._loop.state, request["resourceArn"], self._store))}

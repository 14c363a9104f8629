/** Whether the open notebook differs from its file, and saving it. */

import * as React from 'react';
import { useServices } from '../services';
import { type IDocument, isUnsaved } from './document';

export interface IUnsaved {
  readonly isUnsaved: boolean;
  /** Save it where that is needed; gives why that failed, else nothing. */
  readonly save: () => Promise<string>;
}

/** Follow a notebook; `onSaved` is told when its file has become another one. */
export function useUnsaved(document: IDocument, onSaved: () => Promise<void>): IUnsaved {
  const { trans } = useServices();
  const { context } = document;
  const [isDirty, setDirty] = React.useState(() => isUnsaved(document));
  React.useEffect(() => {
    const update = () => setDirty(isUnsaved(document));
    context?.model.stateChanged.connect(update);
    return () => {
      context?.model.stateChanged.disconnect(update);
    };
  }, [document, context]);
  const save = async () => {
    if (!context || !isUnsaved(document)) {
      return '';
    }
    await context.save();
    setDirty(isUnsaved(document));
    if (isUnsaved(document)) {
      return trans.__('The notebook could not be saved.');
    }
    await onSaved();
    return '';
  };
  return { isUnsaved: isDirty, save };
}

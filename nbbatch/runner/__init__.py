"""What runs inside the job: standard library only, nothing of nbbatch imported.

Travels as `runner.pyz` under the name `nbbatch_runner`, so that a job may import the real nbbatch;
hence the relative imports here, and syntax that Python 3.9 reads, so that an older image gets a
sentence instead of a SyntaxError. Start-up is part of every job: no module here imports at its top
what a plain `1 + 1` does not need. `pickling` and `items` are the client's, too.
"""

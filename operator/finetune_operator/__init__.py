"""The operator: watches FineTuneJobs and brings each one step further, from whatever state it is found in.

``handlers`` put keys into the ``queue``; for each key ``observe`` says what is, ``decide`` what to do, and ``apply``
does it. All that must not be forgotten stands in the job's status, so that the process may end at any moment.
"""

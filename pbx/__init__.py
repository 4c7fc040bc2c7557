"""The application: composition root, calls, apps, services, store, command line.

What pbx imports of the core comes from its compiled build where there is one (`pbx.compiled`).
"""

from pbx.compiled import activate

activate()

"""The application: composition root, calls, apps, services, store, command line."""

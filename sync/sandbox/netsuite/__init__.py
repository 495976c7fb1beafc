"""NetSuite: record API, SuiteQL, asynchronous jobs, both ways to sign in, and our script's own webhook."""

from sync.sandbox.netsuite.simulator import NetSuite

__all__ = ["NetSuite"]

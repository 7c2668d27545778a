"""The IEC 61850 MMS server; see IedServer for the library."""

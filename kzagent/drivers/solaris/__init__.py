"""The driver of Oracle Solaris hosts: `zoneadm`, `zonecfg` and their neighbours, over one of several ways there."""

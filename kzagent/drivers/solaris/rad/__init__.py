"""The way to a Solaris host through its Remote Administration Daemon: REST over HTTPS, nothing installed there."""

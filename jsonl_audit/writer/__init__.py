"""What writes: the appender, sealing and recovery. One process at a time, under the lock."""

"""What a process needs before it serves anything: settings, logging, duties, mail."""

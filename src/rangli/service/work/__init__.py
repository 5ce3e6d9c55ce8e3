"""What takes long and is done beside the writers: jobs in a process of their own, imports, backups, verifications."""

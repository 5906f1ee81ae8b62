"""Every SQL statement of the service: the API's (`imports`), the workers' (`jobs`), rejects."""

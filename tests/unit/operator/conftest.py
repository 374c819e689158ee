"""That this file is here puts its folder on the import path: ``import observed_jobs``."""

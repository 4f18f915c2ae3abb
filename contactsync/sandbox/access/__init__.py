"""IAM: the policies of roles, the permissions that a request needs, and the refusal of what no policy allows."""

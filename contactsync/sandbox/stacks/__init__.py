"""CloudFormation: templates, and the resource types that moto lacks."""

"""The CRM: Salesforce over its REST API, one instance for each tenant."""

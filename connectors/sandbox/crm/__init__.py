"""A CRM that speaks Salesforce's REST API: OAuth, sobjects, a part of SOQL, and its error bodies."""

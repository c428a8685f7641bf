"""`eloquence bench voice`: whole calls, beside a bare agent."""

"""HTTPS that is opened to be judged, and traffic that is led to be: certificates, and rules of a packet filter."""

package detect

// ServiceAccount reports whether an account is one that programs run as, and that nobody signs in with.
func ServiceAccount(name string) bool { return serviceName(name) }

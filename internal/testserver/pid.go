package testserver

// PID returns the process id of the server, so that what it uses can be measured; 0
// while it is stopped.
func (s *server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return 0
	}
	return s.running.pid
}

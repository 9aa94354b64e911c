package testserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Do sends one command on a connection of its own and returns the answer: of an
// array each element in a line, of nil "". An error answer is an error. It gives up
// after five seconds. It is for steering the server, not for speed.
func (s *RedisServer) Do(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.do(ctx, s.port, command...)
}

func (s *RedisServer) do(ctx context.Context, port int, command ...string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	answers := bufio.NewReader(conn)
	if s.password != "" {
		if _, err := ask(conn, answers, "AUTH", s.password); err != nil {
			return "", err
		}
	}
	return ask(conn, answers, command...)
}

func ask(conn io.Writer, answers *bufio.Reader, command ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return "", err
	}
	return answer(answers)
}

// answer reads one reply of RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/).
func answer(r *bufio.Reader) (string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	head = strings.TrimSuffix(head, "\r\n")
	if head == "" {
		return "", errors.New("redis: empty reply")
	}
	kind, rest := head[0], head[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", fmt.Errorf("redis: %s", rest)
	}
	length, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("redis: reply %q", head)
	}
	switch {
	case length < 0:
		return "", nil
	case kind == '$':
		text := make([]byte, length+len("\r\n"))
		_, err := io.ReadFull(r, text)
		return string(text[:length]), err
	case kind != '*':
		return "", fmt.Errorf("redis: reply %q", head)
	}
	lines := make([]string, length)
	for i := range lines {
		if lines[i], err = answer(r); err != nil {
			return "", err
		}
	}
	return strings.Join(lines, "\n"), nil
}

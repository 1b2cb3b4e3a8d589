package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

const mailTimeout = 30 * time.Second

// Mailer sends mail through one SMTP server. The zero value has none, and refuses. Safe for concurrent use.
type Mailer struct {
	Server string // host:port; "": there is none
	From   string // address
}

// Mail is a message of plain text.
type Mail struct {
	ID      string // stable, becomes the Message-Id
	To      string
	Subject string
	Text    string
	Time    time.Time
}

// CheckAddress tells whether a text is a mail address, without a name.
func CheckAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && !strings.ContainsAny(s, "\r\n")
}

// Send sends a mail. TLS is used if the server offers it.
func (m *Mailer) Send(ctx context.Context, msg Mail) error {
	if m == nil || m.Server == "" {
		return Permanent(errors.New("no mail server is set up (--smtp)"))
	}
	if !CheckAddress(msg.To) {
		return Permanent(fmt.Errorf("%.100q is no mail address", msg.To))
	}
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return Permanent(errors.New("the mail server's address can't be used"))
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return fmt.Errorf("the mail server did not answer: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	c, err := smtp.NewClient(conn, host)
	if err == nil {
		err = m.send(c, host, msg)
	}
	var refused *textproto.Error
	if errors.As(err, &refused) && refused.Code >= 500 {
		return Permanent(fmt.Errorf("the mail server refused: %w", err))
	}
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

func (m *Mailer) send(c *smtp.Client, host string, msg Mail) error {
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if err := c.Mail(m.From); err != nil {
		return err
	}
	if err := c.Rcpt(msg.To); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.text(msg)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// text is the message as it is sent. Nothing of msg can end a header.
func (m *Mailer) text(msg Mail) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(m.From, "@")
	clean := strings.NewReplacer("\r", " ", "\n", " ", "<", "", ">", "")
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-Id: <%s@%s>\r\n", clean.Replace(m.From), clean.Replace(msg.To),
		mime.QEncoding.Encode("utf-8", clean.Replace(msg.Subject)), msg.Time.Format(time.RFC1123Z), clean.Replace(msg.ID), clean.Replace(domain))
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(msg.Text)) // into memory
	_ = q.Close()
	return b.Bytes()
}

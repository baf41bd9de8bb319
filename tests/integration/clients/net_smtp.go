// Sends one message with Go's net/smtp. In: settings as JSON on standard input; SSL_CERT_FILE has the CA.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log"
	"net/smtp"
	"os"
)

type settings struct {
	Host, TLS, User, Password, Content, Sender, To string
	Port                                           int
}

// smtp.SendMail knows STARTTLS only.
func sendOverTLS(address string, s settings, auth smtp.Auth, message []byte) error {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: s.Host})
	if err != nil {
		return err
	}
	client, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return err
	}
	defer client.Close()
	if err = client.Auth(auth); err != nil {
		return err
	}
	if err = client.Mail(s.Sender); err != nil {
		return err
	}
	if err = client.Rcpt(s.To); err != nil {
		return err
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err = body.Write(message); err != nil {
		return err
	}
	if err = body.Close(); err != nil {
		return err
	}
	return client.Quit()
}

func main() {
	log.SetFlags(0)
	var s settings
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		log.Fatal(err)
	}
	message, err := os.ReadFile(s.Content)
	if err != nil {
		log.Fatal(err)
	}
	auth := smtp.PlainAuth("", s.User, s.Password, s.Host)
	address := fmt.Sprintf("%s:%d", s.Host, s.Port)
	if s.TLS == "implicit" {
		err = sendOverTLS(address, s, auth, message)
	} else {
		err = smtp.SendMail(address, auth, s.Sender, []string{s.To}, message)
	}
	if err != nil {
		log.Fatal(err)
	}
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	settings, err := loadSettings()
	if err != nil {
		return err
	}
	chain, err := NewChain(settings)
	if err != nil {
		return err
	}
	service := &Service{Verifier: &Verifier{Settings: settings, Client: &http.Client{Timeout: 20 * time.Second}}, Chain: chain, Log: log}
	server := &http.Server{Addr: net.JoinHostPort(settings.Host, settings.Port), Handler: service.Handler(), ReadHeaderTimeout: 10 * time.Second}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(drain)
	}()
	log.Info("listening", "port", settings.Port, "customers", len(settings.Customers))
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

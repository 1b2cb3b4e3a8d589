package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	deviceLife     = 15 * time.Minute
	deviceInterval = 5 * time.Second
	deviceMax      = 2_000  // codes at a time; anyone may ask for one
	keyUserCode    = "G|u|" // + MAC of the user code, hexadecimal: the device code's key
)

func (s *Service) deviceRoutes() []wire.Route {
	code := func(pattern, operation string, v2 bool) wire.Route {
		return wire.Route{
			Host: wire.HostLogin, Method: "POST", Pattern: pattern, Operation: operation, BodyLimit: formLimit, Auth: wire.Anonymous,
			Handler: func(ctx context.Context, r *wire.Request) (any, error) { return s.deviceCode(ctx, r, endpoint{v2: v2}) },
		}
	}
	page := func(method string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostLogin, Method: method, Pattern: "/{tenant}/oauth2/deviceauth", Operation: "DeviceAuth" + method, BodyLimit: pageLimit,
			Auth: wire.Anonymous, Handler: s.page(h),
		}
	}
	return []wire.Route{
		code("/{tenant}/oauth2/devicecode", "DeviceCodeV1", false),
		code("/{tenant}/oauth2/v2.0/devicecode", "DeviceCodeV2", true),
		page("GET", s.devicePage),
		page("POST", s.postDevice),
	}
}

type deviceAnswerV2 struct {
	UserCode   string `json:"user_code"`
	DeviceCode string `json:"device_code"`
	URI        string `json:"verification_uri"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
	Message    string `json:"message"`
}

type deviceAnswerV1 struct {
	UserCode   string `json:"user_code"`
	DeviceCode string `json:"device_code"`
	URL        string `json:"verification_url"`
	ExpiresIn  string `json:"expires_in"`
	Interval   string `json:"interval"`
	Message    string `json:"message"`
}

// deviceCode begins the sign-in of a device that has no browser.
func (s *Service) deviceCode(ctx context.Context, r *wire.Request, e endpoint) (any, error) {
	f, err := parseForm(r)
	if err != nil {
		return nil, err
	}
	segment, err := s.authority(ctx, r)
	if err != nil {
		return nil, err
	}
	e.adfs = segment == "adfs"
	app, err := s.clientApp(ctx, segment, f.clientID)
	if err != nil {
		return nil, err
	}
	r.Resource = "client " + app.AppID
	w, err := wantedOf(e, f)
	if err != nil {
		return nil, err
	}
	until := s.Clock.Now().Add(deviceLife)
	device := newArtifact(deviceArtifact, "", until.Unix())
	user := userCode()
	rec := deviceRecord{Segment: segment, ClientID: app.AppID, Wanted: w, V2: e.v2, State: devicePending, Until: until}
	if err := s.putDevice(ctx, device, user, rec); err != nil {
		return nil, err
	}
	uri := r.URL(wire.HostLogin, "") + "/common/oauth2/deviceauth"
	message := "To sign in, use a web browser to open the page " + uri + " and enter the code " + user + " to authenticate."
	if !e.v2 {
		return deviceAnswerV1{user, s.mint(device), uri, seconds(deviceLife), seconds(deviceInterval), message}, nil
	}
	return deviceAnswerV2{user, s.mint(device), uri, int64(deviceLife.Seconds()), int64(deviceInterval.Seconds()), message}, nil
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d.Seconds()), 10) }

// userCode draws what a person types: 9 characters without those that are misread or spell words, 42 bits for 15 minutes.
func userCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ23456789" // 28
	out := make([]byte, 0, 9)
	for len(out) < 9 {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if int(c) < 252 && len(out) < 9 { // 9 * 28: each letter as likely as any
				out = append(out, letters[c%28])
			}
		}
	}
	return string(out)
}

// userCodeKey is the index row of a user code, however it was typed.
func (s *Service) userCodeKey(text string) string {
	clean := strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return c
	}, strings.ToUpper(text))
	return keyUserCode + hex.EncodeToString(s.Sealer.MAC(signinShard(""), "user code", clean)[:16])
}

// putDevice stores a new device code, unless there are too many.
func (s *Service) putDevice(ctx context.Context, device artifact, user string, rec deviceRecord) error {
	value, err := deviceCodec.Encode(rec)
	if err != nil {
		return fmt.Errorf("encode device code: %w", err)
	}
	now, index := s.Clock.Now(), s.userCodeKey(user)
	full := false
	_, err = s.Store.Update(ctx, signinShard(""), func(tx store.Tx) error {
		if err := sweep(tx, now); err != nil {
			return err
		}
		n := 0
		err := tx.Scan(store.Prefix([]byte(keyUserCode)), func(_, _ []byte) bool { n++; return n < deviceMax })
		if err != nil {
			return err
		}
		if full = n >= deviceMax; full {
			return nil
		}
		if err := putEnding(tx, index, []byte(device.key()), time.Time{}, rec.Until); err != nil {
			return err
		}
		return putEnding(tx, device.key(), value, time.Time{}, rec.Until)
	})
	if err != nil {
		return fmt.Errorf("store device code: %w", err)
	}
	if full {
		return oauth(fault.TooMany, 50196, "temporarily_unavailable", "Too many device codes are waiting for their user. Try again later.")
	}
	return nil
}

// pollDevice answers a device that asks whether its user has signed in yet.
func (s *Service) pollDevice(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	text := f.deviceCode
	if text == "" {
		text = f.code // version 1 spells it so
	}
	if text == "" {
		return nil, missing("device_code")
	}
	device, ok := s.openArtifact(deviceArtifact, text)
	if !ok {
		return nil, oauth(fault.Invalid, 70018, "bad_verification_code", "The provided value for the 'device_code' parameter is not valid.")
	}
	now := s.Clock.Now()
	rec, err := loadSignin(ctx, s, deviceCodec, device)
	if err != nil {
		return nil, err
	}
	if rec == nil || now.Unix() >= device.n || rec.State == deviceUsed {
		return nil, oauth(fault.Invalid, 70020, "expired_token", "The provided value for the input parameter 'device_code' is not valid. This device code has expired or was used.")
	}
	if !strings.EqualFold(rec.ClientID, f.clientID) {
		return nil, oauth(fault.Invalid, 70000, "invalid_grant", "The device code was issued to another client.")
	}
	switch rec.State {
	case deviceDeclined:
		return nil, oauth(fault.Invalid, 70018, "authorization_declined", "The end user denied the authorization request.")
	case devicePending:
		if s.attempts.tooSoon(device.name(), now, deviceInterval/2) {
			return nil, oauth(fault.Invalid, 70016, "slow_down", "The client polls too often. Wait five seconds longer between two requests.")
		}
		return nil, oauth(fault.Invalid, 70016, "authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	}
	return s.redeemDevice(ctx, r, e, f, a, device, rec)
}

// redeemDevice issues the tokens of an approved device code, once.
func (s *Service) redeemDevice(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt, device artifact, rec *deviceRecord) (any, error) {
	tenant, err := s.artifactTenant(ctx, r.Param("tenant"), rec.TenantID)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	c, err := s.userClient(ctx, r, tenant, f, a)
	if err != nil {
		return nil, err
	}
	d := &delegation{tenant: tenant, client: c, login: rec.Login, wanted: rec.Wanted}
	if d.user, err = s.stillGood(ctx, tenant, rec.Login); err != nil {
		return nil, err
	}
	out, err := s.delegate(ctx, r, e, f, d, a)
	if err != nil {
		return nil, err
	}
	first, err := s.moveDevice(ctx, device.key(), deviceApproved, func(rec *deviceRecord) { rec.State = deviceUsed })
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, oauth(fault.Invalid, 70020, "expired_token", "The provided value for the input parameter 'device_code' is not valid. This device code was used.")
	}
	return s.begin(ctx, e, f, d, out)
}

// moveDevice changes a device code that is in the state from; ok is false if it is in another by now, or has ended.
func (s *Service) moveDevice(ctx context.Context, key string, from deviceState, change func(*deviceRecord)) (ok bool, err error) {
	now := s.Clock.Now()
	_, err = s.Store.Update(ctx, signinShard(""), func(tx store.Tx) error {
		rec, err := load(tx, deviceCodec, key)
		if err != nil {
			return err
		}
		if ok = rec != nil && rec.State == from && now.Before(rec.Until); !ok {
			return nil
		}
		change(rec)
		value, err := deviceCodec.Encode(*rec)
		if err != nil {
			return err
		}
		return tx.Put([]byte(key), value)
	})
	if err != nil {
		return false, fmt.Errorf("change device code: %w", err)
	}
	return ok, nil
}

// devicePage asks for the code a device shows.
func (s *Service) devicePage(ctx context.Context, r *wire.Request) (any, error) {
	segment, err := s.authority(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.codePage(r, segment, clip(r.Query("user_code")), "")
}

func (s *Service) codePage(r *wire.Request, segment, code, problem string) (any, error) {
	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
	}
	return s.render(status, view{
		Title: "Enter code", Base: "/" + segment, Code: true, Name: code, Canary: s.canary(r, "device"), Error: problem,
	}, "")
}

// postDevice takes the code and goes on to sign the user in.
func (s *Service) postDevice(ctx context.Context, r *wire.Request) (any, error) {
	form, err := pageForm(r)
	if err != nil {
		return nil, err
	}
	segment, err := s.authority(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.checkCanary(r, "device", form.Get("canary")); err != nil {
		return nil, err
	}
	if err := s.attempts.begin("", "device code", r.Client, s.Clock.Now()); err != nil {
		return nil, err
	}
	key, rec, err := s.deviceByUserCode(ctx, form.Get("user_code"))
	if err != nil {
		return nil, err
	}
	if rec == nil || rec.State != devicePending || !s.Clock.Now().Before(rec.Until) {
		return s.codePage(r, segment, clip(form.Get("user_code")), "AADSTS70018: That code didn't work. Check the code and try again; it may have expired.")
	}
	s.attempts.succeeded("", "device code", r.Client)
	app, err := s.clientApp(ctx, rec.Segment, rec.ClientID)
	if err != nil {
		return nil, err
	}
	return s.proceed(ctx, r, &authRequest{
		Segment: rec.Segment, V2: rec.V2, ClientID: rec.ClientID, Device: strings.TrimPrefix(key, "G|d|"), Wanted: rec.Wanted, MaxAge: -1,
		Prompt: "select_account", Begun: s.Clock.Now(),
	}, app)
}

func (s *Service) deviceByUserCode(ctx context.Context, code string) (key string, rec *deviceRecord, err error) {
	if len(code) > 40 {
		return "", nil, nil
	}
	index := s.userCodeKey(code)
	err = s.Store.View(ctx, signinShard(""), func(snap store.Snapshot) error {
		key, rec = "", nil
		b, err := snap.Get([]byte(index))
		if err != nil || b == nil {
			return err
		}
		key = string(b)
		rec, err = load(snap, deviceCodec, key)
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("read device code: %w", err)
	}
	return key, rec, nil
}

// settleDevice keeps what the user decided about a device.
func (s *Service) settleDevice(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session, to deviceState) (any, error) {
	ok, err := s.moveDevice(ctx, "G|d|"+req.Device, devicePending, func(rec *deviceRecord) {
		rec.State, rec.TenantID, rec.Login = to, have.tenant.ID, have.login
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, oauth(fault.Invalid, 70019, "expired_token", "Verification code expired. Have the device show a new one.")
	}
	r.Resource = have.user.UPN + " -> " + app.DisplayName + " on a device"
	v := view{Title: "Signed in", App: app.DisplayName, Done: "You have signed in to " + app.DisplayName + " on your device. You may now close this window."}
	if to == deviceDeclined {
		v.Title, v.Done = "Not signed in", "The device was told that you declined. You may now close this window."
	}
	return s.render(http.StatusOK, v, "")
}

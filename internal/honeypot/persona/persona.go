package persona

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Version is that of the stored form.
const Version = 1

// Persona is one pretended machine. It is not changed once it is made.
type Persona struct {
	Version  int       `json:"version"`
	Seed     string    `json:"seed"` // hex; other choices that must stay the same are drawn from it
	Hostname string    `json:"hostname"`
	System   System    `json:"system"`
	CPU      CPU       `json:"cpu"`
	Cores    int       `json:"cores"`
	MHz      float64   `json:"mhz"`
	MemoryKB int64     `json:"memoryKB"`
	SwapKB   int64     `json:"swapKB"`
	DiskKB   int64     `json:"diskKB"`
	UsedKB   int64     `json:"usedKB"`
	Address  string    `json:"address"` // of its one interface
	Gateway  string    `json:"gateway"`
	MAC      string    `json:"mac"`
	Boot     time.Time `json:"boot"`
	Made     time.Time `json:"made"` // when it was "installed"
	Users    []User    `json:"users"`
	Service  Service   `json:"service"` // what it is for
	Packages []Package `json:"packages"`
	Machine  string    `json:"machineId"`
}

// System is a distribution's release.
type System struct {
	ID       string `json:"id"` // ubuntu, debian
	Name     string `json:"name"`
	Pretty   string `json:"pretty"`
	Release  string `json:"release"`
	Codename string `json:"codename"`
	Kernel   string `json:"kernel"` // uname -r
	Build    string `json:"build"`  // uname -v
	Compiler string `json:"compiler"`
	SSH      string `json:"ssh"` // sshd's version string
	Bash     string `json:"bash"`
}

// CPU is a processor.
type CPU struct {
	Vendor   string `json:"vendor"`
	Name     string `json:"name"`
	Family   int    `json:"family"`
	Model    int    `json:"model"`
	Stepping int    `json:"stepping"`
	CacheKB  int    `json:"cacheKB"`
	Bogo     string `json:"bogomips"`
}

// User is an account.
type User struct {
	Name  string `json:"name"`
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Gecos string `json:"gecos,omitempty"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
	Hash  string `json:"hash,omitempty"` // in /etc/shadow; of no password
}

// Service is what the machine runs.
type Service struct {
	Name    string `json:"name"`
	User    string `json:"user"`
	Command string `json:"command"`
	Port    int    `json:"port"`
	Home    string `json:"home"`
}

// Package is an installed package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	About   string `json:"about"`
}

// New draws a persona. The same seed and time give the same one.
func New(seed [32]byte, now time.Time) *Persona {
	r := rand.New(rand.NewChaCha8(seed))
	p := &Persona{Version: Version, Seed: hex.EncodeToString(seed[:]), System: pick(r, systems), CPU: pick(r, processors), Service: pick(r, servicesOf)}
	p.Cores = pick(r, []int{1, 2, 2, 4, 4, 8})
	p.MHz = 2000 + float64(r.IntN(1200000))/1000
	p.CPU.Bogo = fmt.Sprintf("%.2f", 2*(2000+float64(r.IntN(9))*100+float64(r.IntN(99))/100))
	p.MemoryKB = int64(p.Cores)*2*1<<20 - int64(60000+r.IntN(90000))
	p.SwapKB = pick(r, []int64{0, 0, 1048572, 2097148})
	p.DiskKB = int64(pick(r, []int{20, 30, 32, 40, 64, 80}))*1015808 - int64(r.IntN(4096))
	p.UsedKB = p.DiskKB * int64(14+r.IntN(50)) / 100
	p.Boot = now.Add(-time.Duration(r.Int64N(int64(170*24*time.Hour))) - 3*24*time.Hour - time.Duration(r.Int64N(int64(time.Hour)))).Truncate(time.Second)
	p.Made = p.Boot.Add(-time.Duration(30+r.IntN(400)) * 24 * time.Hour)
	net := []int{10, r.IntN(200) + 1, r.IntN(250)}
	p.Gateway = fmt.Sprintf("%d.%d.%d.1", net[0], net[1], net[2])
	p.Address = fmt.Sprintf("%d.%d.%d.%d", net[0], net[1], net[2], 4+r.IntN(240))
	p.MAC = fmt.Sprintf("%s:%02x:%02x:%02x", pick(r, []string{"00:0d:3a", "00:22:48", "52:54:00", "00:16:3e"}), r.IntN(256), r.IntN(256), r.IntN(256))
	var id [16]byte
	for i := range id {
		id[i] = byte(r.IntN(256))
	}
	p.Machine = hex.EncodeToString(id[:])
	p.Hostname = hostname(r, p.Service.Name)
	p.users(r)
	p.packages(r)
	return p
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func hostname(r *rand.Rand, service string) string {
	short := map[string]string{"cassandra": "cass", "mysqld": "db", "nginx": "web", "java": "ci", "redis-server": "cache", "postgres": "pg"}[service]
	site := pick(r, []string{"eu", "us", "w", "ne", "prod", "stg", "int", "lab", "hq", "dc"}) + pick(r, []string{"", "1", "2", "3"})
	return pick(r, []string{
		fmt.Sprintf("%s-%s-%02d", site, short, 1+r.IntN(24)), fmt.Sprintf("%s%02d-%s", short, 1+r.IntN(40), site),
		fmt.Sprintf("%s-node%d", short, 1+r.IntN(12)), fmt.Sprintf("vm-%s-%s", short, randomText(r, "bcdfghjkmnpqrstvwxz23456789", 5)),
	})
}

func randomText(r *rand.Rand, of string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = of[r.IntN(len(of))]
	}
	return string(b)
}

const crypted = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (p *Persona) users(r *rand.Rand) {
	hash := func() string {
		kind := "$6$"
		if p.System.Release > "21" || p.System.ID == "debian" {
			kind = "$y$j9T$"
		}
		return kind + randomText(r, crypted, 22) + "$" + randomText(r, crypted, 43)
	}
	p.Users = append([]User{{Name: "root", Gecos: "root", Home: "/root", Shell: "/bin/bash", Hash: hash()}}, systemUsers...)
	next := uint32(106 + r.IntN(12))
	for _, s := range [][2]string{{p.Service.User, p.Service.Home}, {"cassandra", "/var/lib/cassandra"}} {
		if p.User(s[0]) == nil {
			p.Users = append(p.Users, User{Name: s[0], UID: next, GID: next + 3, Home: s[1], Shell: "/bin/bash", Hash: hash()})
			next++
		}
	}
	first := pick(r, given)
	last := pick(r, family)
	names := []string{pick(r, []string{p.System.ID, "ops", "deploy", "admin", "svcadmin", "azureuser", "sysop"}), strings.ToLower(first[:1] + last)}
	for i, n := range names {
		gecos := ""
		if i == 1 {
			gecos = first + " " + last + ",,,"
		}
		p.Users = append(p.Users, User{Name: n, UID: uint32(1000 + i), GID: uint32(1000 + i), Gecos: gecos, Home: "/home/" + n, Shell: "/bin/bash", Hash: hash()})
	}
}

// User finds an account.
func (p *Persona) User(name string) *User {
	for i := range p.Users {
		if p.Users[i].Name == name {
			return &p.Users[i]
		}
	}
	return nil
}

func (p *Persona) packages(r *rand.Rand) {
	for _, k := range packagesOf {
		if r.IntN(12) > 0 || k.About == "" {
			v := fmt.Sprintf(k.Version, r.IntN(9), r.IntN(20), 1+r.IntN(9))
			p.Packages = append(p.Packages, Package{k.Name, v, k.About})
		}
	}
	p.Packages = append(p.Packages, Package{p.Service.Name, fmt.Sprintf("%d.%d.%d-1", 2+r.IntN(8), r.IntN(20), r.IntN(30)), p.Service.Name + " server"})
}

// SeedBytes is the seed.
func (p *Persona) SeedBytes() [32]byte {
	var s [32]byte
	b, _ := hex.DecodeString(p.Seed)
	copy(s[:], b)
	return s
}

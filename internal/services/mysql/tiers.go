package mysql

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// tier is a pricing tier: what a server of it gets. Source: concepts-pricing-tiers and concepts-limits of the service's documentation.
type tier struct {
	name        string // "GeneralPurpose"
	prefix      string // of its SKUs' names, "GP"
	memoryGB    int    // per vCore
	connections map[int]int
	maxStorage  int // MB
	iops        bool
}

const (
	minStorage = 5 << 10 // MB
	gigabyte   = 1 << 10 // MB

	minIOPS, maxIOPS, iopsPerGB = 100, 6000, 3
)

// tiers gives the three tiers.
func tiers() []tier {
	return []tier{
		{"Basic", "B", 2, map[int]int{1: 50, 2: 100}, 1 << 20, false},
		{"GeneralPurpose", "GP", 5, map[int]int{2: 300, 4: 625, 8: 1250, 16: 2500, 32: 5000}, 4 << 20, true},
		{"MemoryOptimized", "MO", 10, map[int]int{2: 600, 4: 1250, 8: 2500, 16: 5000}, 4 << 20, true},
	}
}

// capacities are the numbers of vCores of all tiers, rising.
func capacities() []int { return []int{1, 2, 4, 8, 16, 32} }

// sku is a server's SKU on the wire.
type sku struct {
	Name     string `json:"name"`
	Tier     string `json:"tier,omitempty"`
	Capacity int    `json:"capacity,omitempty"`
	Size     string `json:"size,omitempty"`
	Family   string `json:"family,omitempty"`
}

const defaultSKU = "GP_Gen5_2"

// settle checks the SKU and fills in what its name says. "GP_Gen5_4" is a tier, a hardware generation and a number of vCores. A client that scales sends a new capacity
// beside the old name, or the other way round: what differs from old is what it wants.
func (s *sku) settle(old *sku) error {
	if s.Name == "" {
		s.Name = defaultSKU
		if old != nil {
			s.Name = old.Name
		}
	}
	parts := strings.Split(s.Name, "_")
	if len(parts) != 3 {
		return badSKU(s.Name)
	}
	cores, err := strconv.Atoi(parts[2])
	if err != nil {
		return badSKU(s.Name)
	}
	prefix, family := parts[0], parts[1]
	if old != nil && s.Name == old.Name { // the rest may tell of a change
		if s.Capacity != 0 {
			cores = s.Capacity
		}
		if t := tierNamed(s.Tier); t != nil && !strings.EqualFold(s.Tier, old.Tier) {
			prefix = t.prefix
		}
	} else if s.Capacity != 0 && s.Capacity != cores && (old == nil || s.Capacity != old.Capacity) {
		return fault.New(fault.Invalid, "InvalidSku", "The SKU '%s' has %d vCores, its capacity says %d.", clip(s.Name), cores, s.Capacity)
	}
	var t *tier
	for _, one := range tiers() {
		if strings.EqualFold(one.prefix, prefix) {
			t = &one
		}
	}
	if t == nil || !strings.EqualFold(family, "Gen4") && !strings.EqualFold(family, "Gen5") || t.connections[cores] == 0 {
		return badSKU(s.Name)
	}
	family = "Gen" + family[3:]
	*s = sku{Name: t.prefix + "_" + family + "_" + strconv.Itoa(cores), Tier: t.name, Capacity: cores, Family: family, Size: s.Size}
	return nil
}

func badSKU(name string) error {
	return fault.New(fault.Invalid, "InvalidSku", "The SKU '%s' is not one: Basic has B_Gen5_1 and 2, GeneralPurpose GP_Gen5_2, 4, 8, 16 and 32, MemoryOptimized MO_Gen5_2, 4, 8 and 16.", clip(name))
}

func tierNamed(name string) *tier {
	for _, t := range tiers() {
		if strings.EqualFold(t.name, name) {
			return &t
		}
	}
	return nil
}

// Limits are what a server of a SKU and a storage size gets.
type Limits struct {
	SKU         string
	VCores      int
	Connections int
	MemoryBytes int64
	StorageMB   int
	IOPS        int // 0: variable (Basic)
}

// limits of a settled SKU.
func (s sku) limits(storageMB int) Limits {
	t := tierNamed(s.Tier)
	l := Limits{
		SKU: s.Name, VCores: s.Capacity, Connections: t.connections[s.Capacity], MemoryBytes: int64(t.memoryGB*s.Capacity) << 30, StorageMB: storageMB,
	}
	if t.iops {
		l.IOPS = min(max(iopsPerGB*storageMB/gigabyte, minIOPS), maxIOPS)
	}
	return l
}

// Next is the SKU to scale up to and its limits: the next number of vCores of the tier or, from Basic's and MemoryOptimized's largest, none. ok is false if there is none.
func (l Limits) Next() (Limits, bool) {
	s := sku{Name: l.SKU}
	if s.settle(nil) != nil {
		return Limits{}, false
	}
	t := tierNamed(s.Tier)
	for _, n := range capacities() {
		if n > s.Capacity && t.connections[n] != 0 {
			s = sku{Name: t.prefix + "_" + s.Family + "_" + strconv.Itoa(n)}
			_ = s.settle(nil)
			return s.limits(l.StorageMB), true
		}
	}
	return Limits{}, false
}

// StorageFor is how much storage, in GB, gives that many IOPS.
func StorageFor(iops int) int { return (min(iops, maxIOPS) + iopsPerGB - 1) / iopsPerGB }

// serviceLevel and shownTier are a tier as performanceTiers shows it.
type serviceLevel struct {
	ID               string `json:"id"`
	Edition          string `json:"edition"`
	VCore            int    `json:"vCore"`
	HardwareFamily   string `json:"hardwareGeneration"`
	MaxBackupDays    int    `json:"maxBackupRetentionDays"`
	MinBackupDays    int    `json:"minBackupRetentionDays"`
	MaxStorageMB     int    `json:"maxStorageMB"`
	MinStorageMB     int    `json:"minStorageMB"`
	ConnectionsLimit int    `json:"maxConnections"` // not in Azure's answer
}

type shownTier struct {
	ID            string         `json:"id"`
	MaxBackupDays int            `json:"maxBackupRetentionDays"`
	MinBackupDays int            `json:"minBackupRetentionDays"`
	MaxStorageMB  int            `json:"maxStorageMB"`
	MinStorageMB  int            `json:"minStorageMB"`
	ServiceLevels []serviceLevel `json:"serviceLevelObjectives"`
}

const minBackupDays, maxBackupDays = 7, 35

// tierList is the answer of performanceTiers.
func tierList() map[string]any {
	var out []shownTier
	for _, t := range tiers() {
		st := shownTier{ID: t.name, MaxBackupDays: maxBackupDays, MinBackupDays: minBackupDays, MaxStorageMB: t.maxStorage, MinStorageMB: minStorage}
		for _, family := range []string{"Gen4", "Gen5"} {
			for _, n := range capacities() {
				if t.connections[n] == 0 {
					continue
				}
				st.ServiceLevels = append(st.ServiceLevels, serviceLevel{
					ID: t.prefix + "_" + family + "_" + strconv.Itoa(n), Edition: t.name, VCore: n, HardwareFamily: family, MaxBackupDays: maxBackupDays,
					MinBackupDays: minBackupDays, MaxStorageMB: t.maxStorage, MinStorageMB: minStorage, ConnectionsLimit: t.connections[n],
				})
			}
		}
		out = append(out, st)
	}
	return map[string]any{"value": out}
}

package app

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/bulkheadhq/bulkhead/internal/services/security"
	"github.com/bulkheadhq/bulkhead/internal/services/security/geoip"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
)

// defending reads what the user gave Security Center: folders of Sigma rules beside the shipped ones, and a table of countries.
func (p *Platform) defending(d *security.Deps) error {
	folders := []fs.FS{rules.Shipped()}
	for _, dir := range p.cfg.SecurityRules {
		if info, err := os.Stat(dir); err != nil {
			return fmt.Errorf("securityRules: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("securityRules: %s is no folder", dir)
		}
		folders = append(folders, os.DirFS(dir))
	}
	set, problems := rules.Open(folders...)
	d.Rules = set
	security.ToldRules(p.log, set.Set(), problems)
	if p.cfg.Countries == "" {
		return nil
	}
	table, err := geoip.Open(p.cfg.Countries)
	if err != nil {
		return fmt.Errorf("countries: %w", err)
	}
	d.Countries = table
	return nil
}

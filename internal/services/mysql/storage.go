package mysql

import (
	"errors"
	"io/fs"
	"path/filepath"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30

	bigServer = 100 * gib // from here on other bounds
)

// nearFull tells whether a server of that size has to be read-only: below 100 GB once less than 512 MB or 5 % are free, above it less than 5 GB. disk is how much the disk
// itself has left, -1 if nobody knows; a server must not find its end before the provisioned one.
func nearFull(limit, used, disk int64) bool {
	free := limit - used
	if disk >= 0 && disk < 512*mib {
		return true
	}
	if limit < bigServer {
		return free < 512*mib || free*20 < limit
	}
	return free < 5*gib
}

// room is how much a server of that size may come to use: the provisioned size, or what is left of a smaller disk.
func room(limit, used, disk int64) int64 {
	if disk < 0 {
		return limit
	}
	return min(limit, used+disk)
}

// grown is how large an automatically growing server of limit bytes becomes, in MB, at most most; ok is false if it need not or can't grow. Below 100 GB: 5 GB more once less
// than the larger of 1 GB and 10 % is free; above: 5 % more once less than 5 % is free.
func grown(limit, used int64, most int) (mb int, ok bool) {
	free := limit - used
	now := int(limit / mib)
	if limit < bigServer {
		ok = free < max(gib, limit/10)
		mb = now + 5*gigabyte
	} else {
		ok = free*20 < limit
		mb = now + (now/20+gigabyte-1)/gigabyte*gigabyte
	}
	mb = min(mb, most)
	return mb, ok && mb > now
}

// filesUnder sums the sizes of the files below a folder. A file that goes away meanwhile counts nothing.
func filesUnder(folder string) (int64, error) {
	var n int64
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// RotateFile makes a new master key in the key file at path, in four durable steps, so that at each the file at path opens the ring:
//
//  1. the new key is written to path.new
//  2. the ring gets a slot for it, beside the present one
//  3. path.new is renamed to path
//  4. the ring gets a new key of its own, and the old master's slot goes
//
// What a crash leaves, Settle finishes. The same steps lead from a passphrase to a key file.
func (r *Ring) RotateFile(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, err := NewKey()
	if err != nil {
		return err
	}
	next, err := MasterKey(key)
	if err != nil {
		return err
	}
	if err := r.disk.write(path+".new", key); err != nil {
		return fmt.Errorf("write new master key: %w", err)
	}
	if err := r.addSlot(next); err != nil {
		return err
	}
	if err := r.disk.rename(path+".new", path); err != nil {
		return fmt.Errorf("put new master key in place: %w", err)
	}
	return r.finish(next)
}

// Rotate adds a master that the operator keeps: a passphrase, or a key from elsewhere. The present one goes on opening the ring until a
// start has opened it with the new one (see Settle): only that proves that the operator has it.
func (r *Ring) Rotate(next Master) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addSlot(next)
}

// addSlot puts a slot for next before the others. None goes yet: which master a key file holds is not known for sure where a disk has failed.
func (r *Ring) addSlot(next Master) error {
	if len(r.file.Slots) == maxSlots {
		return fmt.Errorf("%d masters open the key ring already: start with the newest of them, then the others go", maxSlots)
	}
	s, err := r.newSlot(next, r.key)
	if err != nil {
		return err
	}
	before, at := r.file.Slots, r.slot
	r.file.Slots, r.slot = append([]slot{s}, before...), at+1
	if err := r.save(); err != nil {
		r.file.Slots, r.slot = before, at
		return err
	}
	return nil
}

// finish makes next the only master.
func (r *Ring) finish(next Master) error {
	r.master = next
	if err := r.rekey(); err != nil {
		return err
	}
	return r.save()
}

// Settle finishes what a rotation left: once the newest master has opened the ring, older ones no longer do. path is the key file's, or
// "" if the master is not in one. The caller is the only process that uses the data folder.
func (r *Ring) Settle(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if path != "" && r.slot > 0 {
		if err := r.takeNew(path); err != nil {
			return err
		}
	}
	if path != "" {
		if err := r.disk.remove(path + ".new"); err != nil {
			return err
		}
	}
	if r.slot == 0 && len(r.file.Slots) > 1 {
		return r.finish(r.master)
	}
	return nil
}

// takeNew goes on behind step 2 of RotateFile, if that is where a crash was.
func (r *Ring) takeNew(path string) error {
	keys, err := readKeys(path + ".new")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	next, err := MasterKey(keys[0])
	if err != nil {
		return err
	}
	if k := r.file.Slots[0].open(next); !bytes.Equal(k, r.key) {
		return nil
	}
	if err := r.disk.rename(path+".new", path); err != nil {
		return err
	}
	r.master, r.slot = next, 0
	return nil
}

// AddStoreKey makes a new data key for the store, which makes new files from now on, and returns it once it is durable.
func (r *Ring) AddStoreKey() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	before := r.keys.Store
	r.keys.Store = append([][]byte{key}, before...)
	if err := r.save(); err != nil {
		r.keys.Store = before
		return nil, err
	}
	return key, nil
}

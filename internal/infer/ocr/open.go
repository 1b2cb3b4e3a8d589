package ocr

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"os"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/image/tiff"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
)

// Bounds are what a document is taken within.
type Bounds struct {
	// Least and Most are the sides of a page in pixels.
	Least, Most int
	// Pages is how many are read; more are left out, as the service does.
	Pages int
}

// maxPixels bounds what a page takes when it is unpacked, whatever its sides: 100 megapixels of a colour picture are 400 MB.
const maxPixels = 100 << 20

// maxMemory is what a page may take while it is unpacked.
const maxMemory = 400 << 20

// Document is a picture or a file of pages.
type Document struct {
	// Pages is how many there are to read, within the bounds.
	Pages int
	// Memory is about how many bytes Page takes for the largest of them; of a PDF file, whose pages aren't looked at before, of the largest there may be.
	Memory int64
	// DPI is how many pixels of a page make an inch, where a page has a size (PDF); else 0.
	DPI float64

	bounds Bounds
	page   func(ctx context.Context, n int) (*image.Gray, error)
	close  func()
}

// Open looks at data: PNG, JPEG, GIF (its first picture), BMP, TIFF with one page or more, PDF. It answers [ErrFormat], [ErrSize], or [ErrMissing] for PDF
// where poppler's programs aren't installed. Sizes are looked at before anything is unpacked.
func Open(ctx context.Context, data []byte, b Bounds) (*Document, error) {
	d := &Document{Pages: 1, bounds: b, close: func() {}}
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("%PDF-")):
		err = d.openPDF(ctx, data)
	case bytes.HasPrefix(data, []byte("II*\x00")) || bytes.HasPrefix(data, []byte("MM\x00*")):
		err = d.openTIFF(data)
	default:
		err = d.openPicture(data)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Page is the n-th page, from 0, in gray, the side up that its Exif says. It answers [ErrFormat] or [ErrSize].
func (d *Document) Page(ctx context.Context, n int) (*image.Gray, error) {
	if n < 0 || n >= d.Pages {
		return nil, fmt.Errorf("%w: page %d of %d", ErrFormat, n+1, d.Pages)
	}
	return d.page(ctx, n)
}

// Close removes what Open put aside.
func (d *Document) Close() { d.close() }

// check answers [ErrSize] for a page out of bounds, and for one that takes more memory than a page may.
func (d *Document) check(w, h int, memory int64) error {
	if w < d.bounds.Least || h < d.bounds.Least || w > d.bounds.Most || h > d.bounds.Most || w*h > maxPixels || w < 1 || h < 1 {
		return fmt.Errorf("%w: %d x %d pixels, a side may have %d to %d", ErrSize, w, h, d.bounds.Least, d.bounds.Most)
	}
	if memory > maxMemory {
		return fmt.Errorf("%w: %d x %d pixels take %d MB, at most %d are unpacked; send it with fewer pixels, 8 bits a colour, or not progressive", ErrSize, w, h, memory>>20, maxMemory>>20)
	}
	d.Memory = max(d.Memory, memory+2*int64(w)*int64(h)) // in gray, and upright
	return nil
}

func (d *Document) openPicture(data []byte) error {
	p, err := picture.Open(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := d.check(p.Width, p.Height, p.Memory); err != nil {
		return err
	}
	d.page = func(context.Context, int) (*image.Gray, error) {
		m, err := p.Decode()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return upright(gray(m), p.Orientation), nil
	}
	return nil
}

// openTIFF finds the pages. golang.org/x/image reads the first directory of a file only, so each page is read from the same bytes behind a header
// that names its directory as the first.
func (d *Document) openTIFF(data []byte) error {
	order := binary.ByteOrder(binary.LittleEndian)
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	if len(data) < 8 {
		return fmt.Errorf("%w: a TIFF file cut off", ErrFormat)
	}
	var at []uint32
	seen := map[uint32]bool{}
	for next := order.Uint32(data[4:]); next != 0 && len(at) < d.bounds.Pages; {
		if seen[next] || int64(next)+2 > int64(len(data)) {
			return fmt.Errorf("%w: a TIFF directory that is none", ErrFormat)
		}
		seen[next] = true
		at = append(at, next)
		end := int64(next) + 2 + 12*int64(order.Uint16(data[next:]))
		if end+4 > int64(len(data)) {
			return fmt.Errorf("%w: a TIFF directory cut off", ErrFormat)
		}
		next = order.Uint32(data[end:])
	}
	if len(at) == 0 {
		return fmt.Errorf("%w: a TIFF file without pages", ErrFormat)
	}
	open := func(n int) *tiffPage {
		p := &tiffPage{Reader: bytes.NewReader(data)}
		copy(p.header[:], data[:4])
		order.PutUint32(p.header[4:], at[n])
		return p
	}
	for n := range at {
		config, err := tiff.DecodeConfig(open(n))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if err := d.check(config.Width, config.Height, picture.Memory(config)); err != nil {
			return err
		}
	}
	d.Pages = len(at)
	d.page = func(_ context.Context, n int) (*image.Gray, error) {
		p, err := tiff.Decode(open(n))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return upright(gray(p), picture.TIFF(data, at[n])), nil
	}
	return nil
}

// tiffPage is a file whose header names another of its directories as the first. The decoder reads it by ReadAt only.
type tiffPage struct {
	*bytes.Reader
	header [8]byte
}

// ReadAt implements [io.ReaderAt].
func (p *tiffPage) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.Reader.ReadAt(b, off)
	if off >= 0 && off < int64(len(p.header)) {
		copy(b[:n], p.header[off:])
	}
	return n, err
}

// pdfDPI is what pages are drawn at: the least at which Tesseract reads ten-point print well.
const pdfDPI = 220

var (
	pdfPages = regexp.MustCompile(`(?m)^Pages:\s+(\d+)$`)
	pdfSize  = regexp.MustCompile(`(?m)^Page\s+\d+ size:\s+([\d.]+) x ([\d.]+) pts`)
)

// openPDF puts the file into a folder of its own: poppler wants to go to and fro in it.
func (d *Document) openPDF(ctx context.Context, data []byte) (err error) {
	f, err := os.CreateTemp("", "page-*.pdf") // for this user alone
	if err != nil {
		return err
	}
	remove := func() { os.Remove(f.Name()) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	info, err := poppler("pdfinfo", 64<<10).run(ctx, nil, f.Name())
	if err != nil {
		return formatUnlessMissing(ctx, err)
	}
	m := pdfPages.FindSubmatch(info)
	if m == nil {
		return fmt.Errorf("%w: a PDF file without pages", ErrFormat)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil || n < 1 {
		return fmt.Errorf("%w: a PDF file without pages", ErrFormat)
	}
	d.Pages, d.DPI, d.close = min(n, d.bounds.Pages), pdfDPI, remove
	// Pages are looked at one by one, as they are drawn: two copies of the largest that may be.
	d.Memory = 2 * maxPixels
	d.page = func(ctx context.Context, n int) (*image.Gray, error) {
		page := strconv.Itoa(n + 1)
		info, err := poppler("pdfinfo", 64<<10).run(ctx, nil, "-f", page, "-l", page, f.Name())
		if err != nil {
			return nil, formatUnlessMissing(ctx, err)
		}
		m := pdfSize.FindSubmatch(info)
		if m == nil {
			return nil, fmt.Errorf("%w: a PDF page without a size", ErrFormat)
		}
		w, _ := strconv.ParseFloat(string(m[1]), 64)
		h, _ := strconv.ParseFloat(string(m[2]), 64)
		pw, ph := int(min(w*pdfDPI/72, 1e6)), int(min(h*pdfDPI/72, 1e6))
		if err := d.check(pw, ph, int64(pw)*int64(ph)); err != nil {
			return nil, err
		}
		out, err := poppler("pdftoppm", maxPixels+1<<10).run(ctx, nil, "-gray", "-r", strconv.Itoa(pdfDPI), "-f", page, "-l", page, f.Name())
		if err != nil {
			return nil, formatUnlessMissing(ctx, err)
		}
		return parsePGM(out)
	}
	return nil
}

func poppler(name string, most int) tool {
	return tool{path: name, hint: "apt-get install poppler-utils", time: 30 * time.Second, max: most}
}

// formatUnlessMissing blames the file for a converter's failure.
func formatUnlessMissing(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, ErrMissing) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// parsePGM reads a binary gray map of 8 bits (P5), as pdftoppm writes it.
func parsePGM(b []byte) (*image.Gray, error) {
	var w, h, most int
	head := b[:min(len(b), 64)]
	n, err := fmt.Sscanf(string(head), "P5\n%d %d\n%d\n", &w, &h, &most)
	if err != nil || n != 3 || most != 255 || w < 1 || h < 1 || w > 1<<15 || h > 1<<15 {
		return nil, fmt.Errorf("%w: no gray map", ErrFormat)
	}
	start := len(fmt.Sprintf("P5\n%d %d\n%d\n", w, h, most))
	if len(b) != start+w*h {
		return nil, fmt.Errorf("%w: a gray map of another size", ErrFormat)
	}
	return &image.Gray{Pix: b[start:], Stride: w, Rect: image.Rect(0, 0, w, h)}, nil
}

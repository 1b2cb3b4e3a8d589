// Package ocr reads print: pages of images, TIFF and PDF files as lines and words with their places.
//
// The reading itself is an [Engine]'s. The one here is Tesseract as a child process ([Tesseract]); what is done around it is ours: pages are decoded
// within bounds ([Open]), a page that stands on its side or head or was laid down askew is put upright before it is read, and what was found is told
// where it is on the page as it came, as quadrilaterals that lean as the print does.
//
// Left out: handwriting (Tesseract has no model of it), tables, and the text that a PDF file has as text: its pages are drawn and read like any other.
package ocr

import (
	"context"
	"errors"
	"image"
)

// Errors of this package. Others wrap what the machine said.
var (
	// ErrMissing is what an engine or a converter answers that isn't installed; its text says what to install.
	ErrMissing = errors.New("not installed")
	// ErrFormat is what bytes answer that are no picture or document of a known kind, or a broken one.
	ErrFormat = errors.New("not a picture or document of a known kind")
	// ErrSize is what a page answers that is smaller or larger than the bounds.
	ErrSize = errors.New("picture out of bounds")
	// ErrLanguage is what a language answers that the engine has no data for.
	ErrLanguage = errors.New("language not installed")
)

// Engine reads the print of one page. It is safe for concurrent use.
type Engine interface {
	// Read reads the page in the language (ISO 639-1; "" for all that are installed). It answers [ErrLanguage] for one it has no data for and
	// [ErrMissing] where the engine isn't there.
	Read(ctx context.Context, page *image.Gray, language string) (Page, error)
	// Check answers the errors of Read that can be told without a page.
	Check(ctx context.Context, language string) error
}

// Page is what was read.
type Page struct {
	// Width and Height are the page's, in pixels.
	Width, Height int
	// Angle is how far the print is turned clockwise, in degrees, more than -180 and at most 180.
	Angle float64
	// Lines are in reading order.
	Lines []Line
}

// Line is a line of print.
type Line struct {
	Box   Quad
	Text  string
	Words []Word
}

// Word is a word of a line.
type Word struct {
	Box  Quad
	Text string
	// Confidence is the engine's own, 0 to 1.
	Confidence float64
}

// Quad has the corners x1,y1 to x4,y4 in pixels of the page: clockwise as the text is read, from its top left.
type Quad [8]float64

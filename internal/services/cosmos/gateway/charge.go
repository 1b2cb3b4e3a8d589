package gateway

import (
	"math"
	"strconv"
)

// Charges, in request units. The model is Cosmos DB's rules of thumb: a point read of 1 KB costs 1, what is bigger counts by size class, writes
// cost by size class and number of properties. The same data always costs the same.
const (
	chargeMetadataRead  = 1.0
	chargeMetadataWrite = 4.95
	chargeQuery         = 2.3
	chargePlan          = 1.0
)

// sizeClass is the power of two of kilobytes that holds size bytes.
func sizeClass(size int) float64 {
	class := 1
	for class<<10 < size {
		class <<= 1
	}
	return float64(class)
}

// chargeRead is that of a point read. Levels that ask two replicas cost twice.
func chargeRead(size int, level string) float64 {
	c := sizeClass(size)
	if level == "Strong" || level == "BoundedStaleness" {
		c *= 2
	}
	return c
}

// chargeMiss is that of a point read that found nothing.
const chargeMiss = 1.0

func chargeCreate(size, properties int) float64 {
	return 5.8*sizeClass(size) + 0.3*float64(properties)
}

func chargeReplace(size, properties int) float64 { return 1.5 * chargeCreate(size, properties) }

func chargeDelete(size int) float64 { return 1.5 * 5.8 * sizeClass(size) }

// chargeRows is that of a page of a query or feed: a base, what was looked at, what was returned.
func chargeRows(base float64, scanned, bytes int) float64 {
	return base + 0.02*float64(scanned) + 0.25*math.Ceil(float64(bytes)/1024)
}

// chargeEntries is that of reading entries of an index.
func chargeEntries(n int) float64 { return 0.002 * float64(n) }

func roundCharge(c float64) float64 { return math.Round(c*100) / 100 }

func formatCharge(c float64) string {
	c = roundCharge(c)
	if n := int(c); float64(n) == c {
		return strconv.Itoa(n) // the usual charge of a read
	}
	return strconv.FormatFloat(c, 'f', -1, 64)
}

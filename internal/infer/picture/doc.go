// Package picture opens what people send as a photo or a scan (JPEG, PNG, GIF, BMP) and tells about it what has to be known before it is unpacked: its
// size, which way up it is to be seen, and how much memory unpacking takes. The codecs are the standard library's and golang.org/x/image's.
//
// Cameras store a photo as the sensor lay and note in Exif which side is up. The number, 1 to 8, is read here (exif.go) from a JPEG's APP1 segment, a PNG's eXIf chunk and a TIFF's
// directory: one tag of two bytes, for which the libraries there are read whole trees of foreign bytes. Every length is checked, nothing is allocated, and whatever isn't as it should be
// counts as no orientation at all. [Orientation.Steps] then says where each pixel goes.
//
// Invariant: Open takes no more memory than a few kilobytes, whatever the bytes say. FuzzOpen and FuzzTIFF hold it against panics.
package picture

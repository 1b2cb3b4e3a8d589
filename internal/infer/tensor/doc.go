// Package tensor runs small convolutional networks in the form of a TensorFlow.js graph model: a JSON file with the graph and a file with its weights.
//
// Load parses both, decodes the weights (float32, or kept as float16, uint8 or uint16), works out and checks the shape of every value for a fixed
// batch size, folds constant additions, multiplications and activations into the convolution before them, packs the weights for the matrix product,
// and gives every intermediate value a place in one block of memory whose size is known and bounded. Run then only computes; it takes its memory from a pool, may be
// called by several goroutines at once and has no failure but a wrong input length.
//
// Values are laid out batch, row, column, channel ("NHWC"). Only the operations that the networks of package face contain are known (see ops.go); a
// model with any other is refused by name when it is loaded. A model file is foreign bytes: whatever is in it, Load answers an error and takes no
// more memory than Limits say.
//
// The inner loops are two functions: a 6x16 tile of a matrix product and a row of a depthwise convolution. They exist in portable Go, in
// AVX2 assembly for amd64 (chosen when the processor has it) and in Go's experimental vector package, which replaces the assembly when built with
// GOEXPERIMENT=simd. All three agree to rounding: the fused multiply-add of the fast ones rounds once where the portable one may round twice.
// TestKernelsAgree says how near.
package tensor

//go:build amd64 && !purego

#include "textflag.h"

// func sum16AVX2(dense *float32, dim int, rows *int32, n int, sum *float32)
TEXT ·sum16AVX2(SB), NOSPLIT, $0-40
	MOVQ dense+0(FP), SI
	MOVQ dim+8(FP), DX
	MOVQ rows+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ sum+32(FP), R8
	SHLQ $2, DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

next:
	MOVLQSX (DI), AX
	IMULQ DX, AX
	VADDPS (SI)(AX*1), Y0, Y0
	VADDPS 32(SI)(AX*1), Y1, Y1
	ADDQ $4, DI
	DECQ CX
	JNZ  next

	VMOVUPS Y0, (R8)
	VMOVUPS Y1, 32(R8)
	VZEROUPPER
	RET

// func sum8AVX2(dense *float32, dim int, rows *int32, n int, sum *float32)
TEXT ·sum8AVX2(SB), NOSPLIT, $0-40
	MOVQ dense+0(FP), SI
	MOVQ dim+8(FP), DX
	MOVQ rows+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ sum+32(FP), R8
	SHLQ $2, DX
	VXORPS Y0, Y0, Y0

next:
	MOVLQSX (DI), AX
	IMULQ DX, AX
	VADDPS (SI)(AX*1), Y0, Y0
	ADDQ $4, DI
	DECQ CX
	JNZ  next

	VMOVUPS Y0, (R8)
	VZEROUPPER
	RET

// func extendAVX2(hash, first, second, third *uint32, n, most int)
TEXT ·extendAVX2(SB), NOSPLIT, $0-48
	MOVQ hash+0(FP), DI
	MOVQ first+8(FP), SI
	MOVQ second+16(FP), R8
	MOVQ third+24(FP), R9
	MOVQ n+32(FP), CX
	MOVQ most+40(FP), DX
	MOVL $16777619, AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	VPXOR Y14, Y14, Y14
	XORQ AX, AX
	CMPQ DX, $2
	JLT  one
	JEQ  two

three:
	VMOVDQU (DI)(AX*4), Y0
	VPXOR (SI)(AX*4), Y0, Y0
	VPMULLD Y15, Y0, Y0
	VMOVDQU (R8)(AX*4), Y1
	VPXOR Y1, Y0, Y2
	VPMULLD Y15, Y2, Y2
	VPCMPEQD Y14, Y1, Y1
	VPBLENDVB Y1, Y0, Y2, Y0
	VMOVDQU (R9)(AX*4), Y1
	VPXOR Y1, Y0, Y2
	VPMULLD Y15, Y2, Y2
	VPCMPEQD Y14, Y1, Y1
	VPBLENDVB Y1, Y0, Y2, Y0
	VMOVDQU Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  three
	VZEROUPPER
	RET

two:
	VMOVDQU (DI)(AX*4), Y0
	VPXOR (SI)(AX*4), Y0, Y0
	VPMULLD Y15, Y0, Y0
	VMOVDQU (R8)(AX*4), Y1
	VPXOR Y1, Y0, Y2
	VPMULLD Y15, Y2, Y2
	VPCMPEQD Y14, Y1, Y1
	VPBLENDVB Y1, Y0, Y2, Y0
	VMOVDQU Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  two
	VZEROUPPER
	RET

one:
	VMOVDQU (DI)(AX*4), Y0
	VPXOR (SI)(AX*4), Y0, Y0
	VPMULLD Y15, Y0, Y0
	VMOVDQU Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  one
	VZEROUPPER
	RET

// func narrowAVX2(inside, open *uint32, n int)
TEXT ·narrowAVX2(SB), NOSPLIT, $0-24
	MOVQ inside+0(FP), DI
	MOVQ open+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX

next:
	VMOVDQU (DI)(AX*4), Y0
	VPAND (SI)(AX*4), Y0, Y0
	VMOVDQU Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  next
	VZEROUPPER
	RET

/* matrix_layout.h — kernels/parts/matrix_layout.h as the tensor cores split matrices */

/* Where a lane's elements begin, and what the four lanes of a row have together. */
static uint matrix_row(uint lane) {
    return lane / 4;
}
static uint matrix_column(uint lane) {
    return lane % 4 * 2;
}
static float row_max(float x) {
    x = max(x, cuda::from_lane(x, cuda::lane() ^ 1));
    return max(x, cuda::from_lane(x, cuda::lane() ^ 2));
}
static float row_sum(float x) {
    x += cuda::from_lane(x, cuda::lane() ^ 1);
    return x + cuda::from_lane(x, cuda::lane() ^ 2);
}

/* wait.h — kernels/parts/wait.h where a kernel may begin early; see cuda::begin */
static void wait_for_previous_kernel() {
    cuda::wait_for_previous_kernel();
}

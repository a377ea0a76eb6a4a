/* logging.h — os_log, which prints, and assert. Included by <metal_stdlib>. */
#ifndef METAL_LLM_MSL_LOGGING_H
#define METAL_LLM_MSL_LOGGING_H

namespace metal {

enum os_log_type { os_log_type_default, os_log_type_info, os_log_type_debug, os_log_type_error,
                   os_log_type_fault };

struct os_log {
    constexpr os_log() {}
    template <typename Subsystem, typename Category> constexpr os_log(Subsystem, Category) {}

#define SIMT_LOG(name)                                                                             \
    template <typename Format, typename... Values>                                                 \
    void name(Format format, Values... values) const {                                             \
        char line[256];                                                                            \
        __builtin_snprintf(line, sizeof line, (const char *)format, printed(values)...);           \
        simt_log(line);                                                                            \
    }
    SIMT_LOG(log)
    SIMT_LOG(log_debug)
    SIMT_LOG(log_info)
    SIMT_LOG(log_error)
    SIMT_LOG(log_fault)
#undef SIMT_LOG
    template <typename Format, typename... Values>
    void log_with_type(os_log_type, Format format, Values... values) const {
        log(format, values...);
    }

private:
    /* What printf takes for it. */
    template <typename T> static MSL_INLINE auto printed(T value) {
        if constexpr (is_floating_point_v<T>)
            return float(value);
        else
            return value;
    }
};
constexpr os_log os_log_default;

} // namespace metal

#define assert(condition)                                                                          \
    ((condition) ? (void)0                                                                         \
                 : simt_assert(#condition, SimtPlace{__func__, __FILE__, __LINE__}))

#endif

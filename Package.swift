// swift-tools-version:5.7
// For apps: import MetalLLM calls the C interface of include/metal_llm.h, on the GPU alone.
//
// The kernels' sources, signatures and constants are in swift/kernel_table.c and swift/kernel_constants.h,
// which `make swift` writes. cJSON,
// PCRE2 and utf8proc come from Homebrew on a Mac; an app for iOS brings them, built for it.

import PackageDescription

let package = Package(
    name: "MetalLLM",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "MetalLLM", targets: ["MetalLLM"])],
    targets: [
        .systemLibrary(name: "CJSON", path: "swift/CJSON", pkgConfig: "libcjson", providers: [.brew(["cjson"])]),
        .systemLibrary(name: "PCRE2", path: "swift/PCRE2", pkgConfig: "libpcre2-8", providers: [.brew(["pcre2"])]),
        .systemLibrary(name: "UTF8Proc", path: "swift/UTF8Proc", pkgConfig: "libutf8proc", providers: [.brew(["utf8proc"])]),
        .target(
            name: "MetalLLM",
            dependencies: ["CJSON", "PCRE2", "UTF8Proc"],
            path: ".",
            exclude: [
                // other devices
                "src/device/cpu_context.c",
                "src/device/cpu_level.c",
                "src/device/cpu_matmul.c",
                "src/cache_folder.c",
                "src/device/cuda_cache.c",
                "src/device/cuda_compile.c",
                "src/device/cuda_context.c",
                "src/device/cuda_library.c",
                "src/device/simt_context.c",
                // the binder as a program of its own
                "msl/bind/main.c",
            ],
            sources: ["src", "msl/bind", "swift/kernel_table.c"],
            publicHeadersPath: "include",
            cSettings: [
                .headerSearchPath("src"),
                .headerSearchPath("msl"),
                .headerSearchPath("swift"),
                .define("METAL_LLM_METAL_ONLY"),
            ],
            linkerSettings: [
                .linkedFramework("CoreGraphics"),
                .linkedFramework("Foundation"),
                .linkedFramework("Metal"),
                .linkedFramework("MetalPerformanceShaders"),
            ]
        ),
        .executableTarget(name: "quickstart", dependencies: ["MetalLLM"], path: "examples/swift"),
    ],
    cLanguageStandard: .c11
)

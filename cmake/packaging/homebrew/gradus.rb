class Gradus < Formula
  desc "Automatic differentiation behind a stable C interface"
  homepage "RELEASE_HOMEPAGE"
  url "RELEASE_URL"
  version "0.1.0"
  sha256 "RELEASE_SHA256"
  license "Apache-2.0"

  depends_on "cmake" => :build
  depends_on "fmt" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "pkgconf" => :build
  depends_on "highway"
  depends_on :linux
  depends_on "zlib"

  def install
    system "cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-DGRADUS_BUILD_TESTS=OFF", "-DGRADUS_BUILD_BENCHMARKS=OFF",
           "-DGRADUS_BUILD_EXAMPLES=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  test do
    (testpath/"test.c").write <<~C
      #include <gradus/gradus.h>
      #include <stdio.h>
      int main(void) { return puts(gradus_version_string()) < 0; }
    C
    system ENV.cc, "test.c", "-I#{include}", "-L#{lib}", "-lgradus", "-o", "test"
    assert_equal version.to_s, shell_output("./test").chomp
  end
end

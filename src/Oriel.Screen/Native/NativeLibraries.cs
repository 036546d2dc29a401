using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Oriel.Screen.Native;

/// <summary>
/// Resolves the short names of the shared libraries used here ("vpx") to their sonames in Debian 12 and 13, newest first. A missing library
/// fails at its first use, with all the names that were tried.
/// </summary>
public static class NativeLibraries
{
    internal const string X11 = "X11",
        Xext = "Xext",
        Xdamage = "Xdamage",
        Xfixes = "Xfixes",
        Xtst = "Xtst",
        Xrandr = "Xrandr";
    internal const string Vpx = "vpx",
        Yuv = "yuv";

    /// <summary>Cisco's H.264 (BSD licence).</summary>
    public const string OpenH264 = "openh264";

    /// <summary>VideoLAN's H.264 (GPL); never installed by Oriel itself.</summary>
    public const string X264 = "x264";

    private static readonly Dictionary<string, string[]> Sonames = new()
    {
        [X11] = ["libX11.so.6"],
        [Xext] = ["libXext.so.6"],
        [Xdamage] = ["libXdamage.so.1"],
        [Xfixes] = ["libXfixes.so.3"],
        [Xtst] = ["libXtst.so.6"],
        [Xrandr] = ["libXrandr.so.2"],
        [Vpx] = ["libvpx.so.9", "libvpx.so.8", "libvpx.so.7"],
        [Yuv] = ["libyuv.so.0"],
        [OpenH264] = ["libopenh264.so.8", "libopenh264.so.7"],
        [X264] = ["libx264.so.164"],
    };

#pragma warning disable CA2255 // The resolver must be in place before the first call, whoever makes it.
    [ModuleInitializer]
    internal static void Initialize() => NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
#pragma warning restore CA2255

    /// <summary>Whether the library is installed; <paramref name="name"/> is one of the short names above.</summary>
    public static bool IsAvailable(string name) => Sonames.TryGetValue(name, out var sonames) && TryLoad(sonames, out _);

    internal static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (!Sonames.TryGetValue(name, out var sonames))
        {
            return 0;
        }

        return TryLoad(sonames, out var handle)
            ? handle
            : throw new DllNotFoundException(
                $"None of {string.Join(", ", sonames)} could be loaded; install the Debian package that contains one of them."
            );
    }

    private static bool TryLoad(string[] sonames, out nint handle)
    {
        foreach (var soname in sonames)
        {
            if (NativeLibrary.TryLoad(soname, out handle))
            {
                return true;
            }
        }

        handle = 0;
        return false;
    }
}

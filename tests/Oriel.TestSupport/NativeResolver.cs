using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.TestSupport;

/// <summary>The painter's own calls find the same libraries as Oriel.Screen's.</summary>
internal static class NativeResolver
{
#pragma warning disable CA2255 // The resolver must be in place before the first call, whoever makes it.
    [ModuleInitializer]
    internal static void Initialize() => NativeLibrary.SetDllImportResolver(typeof(NativeResolver).Assembly, NativeLibraries.Resolve);
#pragma warning restore CA2255
}

using System.Runtime.InteropServices;

namespace Oriel.Linux.Calls;

internal static partial class MachineCalls
{
    // reboot(2): RB_POWER_OFF, RB_AUTOBOOT
    internal const int PowerOff = 0x4321fedc;
    internal const int AutoBoot = 0x1234567;

    [LibraryImport("libc", EntryPoint = "sethostname", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SetHostName(string name, nuint length);

    [LibraryImport("libc", EntryPoint = "sync")]
    internal static partial void Sync();

    [LibraryImport("libc", EntryPoint = "reboot", SetLastError = true)]
    internal static partial int Reboot(int command);
}

using System.Diagnostics;
using System.Globalization;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>
/// How a VMM's process is started: in its directory, in the desktop's cgroup, as <see cref="VmDirectory.UserId"/> and without any power.
/// </summary>
internal static class VmProcess
{
    /// <summary>What a VMM has its machine's state open as, where it is given one. One digit, as a shell has it.</summary>
    public const int StateDescriptor = 8;

    /// <summary>
    /// Joins the cgroup ($0, may be none), puts both outputs on one pipe and nothing on the input, and becomes the rest of its arguments:
    /// the process that is started is the VMM in the end.
    /// </summary>
    private static readonly string Become = $"{Cgroups.Join}state=$1; shift; exec \"$@\" </dev/null 2>&1 {Cgroups.Leave}";
    private static readonly string BecomeWithState = $"{Become} {StateDescriptor}<\"$state\"";

    /// <summary>Its output is what the VMM prints. The supplementary groups stay, as one of them may be that of /dev/kvm.</summary>
    /// <param name="directory">Entered before the powers are given up: its path need not be open to the VMM's user.</param>
    /// <param name="state">Of the machine that it is restored from; null = it has none to read, or reads it by itself.</param>
    /// <exception cref="InvalidOperationException">The program is not installed.</exception>
    public static ProcessStartInfo StartInfo(
        string directory,
        Cgroup? cgroup,
        string program,
        IEnumerable<string> arguments,
        string? state = null
    )
    {
        Programs.Require("setpriv", program);
        var id = VmDirectory.UserId.ToString(CultureInfo.InvariantCulture);
        return new ProcessStartInfo(
            "/bin/sh",
            [
                "-c",
                state is null ? Become : BecomeWithState,
                Cgroups.Of(cgroup),
                state ?? "",
                "setpriv",
                "--reuid",
                id,
                "--regid",
                id,
                "--keep-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--no-new-privs",
                "--",
                program,
                .. arguments,
            ]
        )
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
        };
    }
}

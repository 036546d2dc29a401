using System.Diagnostics;
using System.Globalization;
using Oriel.Keeper.Hosting;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>How a VMM's process is started: in its directory, in the desktop's cgroup, as <see cref="VmDirectory.UserId"/> and without any power.</summary>
internal static class VmProcess
{
    /// <summary>
    /// Joins the cgroup ($0, may be empty), puts both outputs on one pipe and nothing on the input, and becomes the rest of its arguments:
    /// the process that is started is the VMM in the end.
    /// </summary>
    private const string Become = "if [ -n \"$0\" ]; then echo 0 >\"$0\" || exit; fi; exec \"$@\" </dev/null 2>&1";

    /// <summary>Its output is what the VMM prints. The supplementary groups stay, as one of them may be that of /dev/kvm.</summary>
    /// <param name="directory">Entered before the powers are given up: its path need not be open to the VMM's user.</param>
    /// <exception cref="InvalidOperationException">The program is not installed.</exception>
    public static ProcessStartInfo StartInfo(string directory, Cgroup? cgroup, string program, IEnumerable<string> arguments)
    {
        Programs.Require("setpriv", program);
        var id = VmDirectory.UserId.ToString(CultureInfo.InvariantCulture);
        return new ProcessStartInfo(
            "/bin/sh",
            [
                "-c", Become, cgroup?.ProcsPath ?? "",
                "setpriv", "--reuid", id, "--regid", id, "--keep-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--",
                program, .. arguments,
            ])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
        };
    }
}

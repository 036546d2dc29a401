using System.Runtime.InteropServices;
using Oriel.Keeper.Bundles;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Service;

if (args is ["probe", "firecracker"])
{
    return await FirecrackerProbe.TellAsync();
}

if (args is not ["run", var path])
{
    Console.Error.WriteLine("usage: oriel-keeper run <bundle>        (in namespaces of its own; see KeeperLauncher)");
    Console.Error.WriteLine("       oriel-keeper probe firecracker   (tells the version that is installed, or why it cannot be used)");
    return 2;
}

if (Environment.ProcessId != 1)
{
    Console.Error.WriteLine("oriel-keeper must be the first process of a pid namespace of its own: with it all that it started must end.");
    return 2;
}

try
{
    // Through the host's /proc, which is still mounted, so the pid is the one that the host knows.
    var identity = HostIdentity.Read();
    var keeper = new DesktopKeeper(OwnBundle.Open(path));
    using var terminate = PosixSignalRegistration.Create(
        PosixSignal.SIGTERM,
        context =>
        {
            context.Cancel = true;
            keeper.Stop(TimeSpan.FromSeconds(5));
        }
    );
    return await keeper.RunAsync(identity);
}
catch (Exception e)
{
    // Not left to the runtime, whose abort the first process of a pid namespace takes for a segmentation fault.
    LastWords.Write(e);
    return 1;
}

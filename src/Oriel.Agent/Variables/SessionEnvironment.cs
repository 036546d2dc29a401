using Oriel.Agent.Accounts;
using Oriel.Agent.Screens;
using Oriel.Linux.Machine;
using Oriel.Protocol;

namespace Oriel.Agent.Variables;

/// <summary>
/// The environment of the session and of exec: what a login gives, then /etc/environment, then what ties a program to this session,
/// which nothing may override.
/// </summary>
internal sealed class SessionEnvironment
{
    public const string SystemFile = GuestRules.EnvironmentFile;

    /// <summary>What a session has where nobody asked for another one.</summary>
    public const string DefaultTimeZone = "UTC";

    private const string DefaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
    private const string RootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private volatile XDisplayAddress? _display;
    private volatile string? _bus;

    public void SetDisplay(XDisplayAddress display) => _display = display;

    public void SetBus(string address) => _bus = address;

    public Dictionary<string, string> For(UserAccount account)
    {
        var environment = Login(account);
        // As every configuration without another one has it: a warm session must not differ.
        environment["TZ"] = DefaultTimeZone;
        environment["XDG_SESSION_TYPE"] = "x11";
        environment["XDG_SESSION_CLASS"] = "user";
        environment["XDG_CURRENT_DESKTOP"] = "XFCE";
        environment["XDG_MENU_PREFIX"] = "xfce-";
        environment["DESKTOP_SESSION"] = "xfce";
        environment["XDG_CONFIG_DIRS"] = "/etc/xdg";
        // There is no accessibility bus; without this GTK looks for one first.
        environment["NO_AT_BRIDGE"] = "1";
        environment["GTK_A11Y"] = "none";
        environment["XDG_DATA_DIRS"] = "/usr/local/share:/usr/share";
        foreach (var (name, value) in EnvironmentFile.Read(SystemFile))
        {
            environment[name] = value;
        }

        // The image's file does not know the host name: it has it once the desktop is configured.
        environment["NO_PROXY"] = environment["no_proxy"] = GuestNetwork.NoProxy(GuestMachine.Hostname());

        environment["XDG_RUNTIME_DIR"] = RuntimeDirectories.Of(account);
        if (_display is { } display)
        {
            environment["DISPLAY"] = display.Name;
            environment["XAUTHORITY"] = display.AuthorityPath;
        }

        if (_bus is { } bus)
        {
            environment["DBUS_SESSION_BUS_ADDRESS"] = bus;
        }

        return environment;
    }

    /// <summary>What login(1) sets before PAM and the shell add theirs.</summary>
    public static Dictionary<string, string> Login(UserAccount account) =>
        new(StringComparer.Ordinal)
        {
            ["HOME"] = account.Home,
            ["USER"] = account.Name,
            ["LOGNAME"] = account.Name,
            ["SHELL"] = account.Shell,
            ["PATH"] = account.Uid == 0 ? RootPath : $"{account.Home}/.local/bin:{DefaultPath}",
            ["LANG"] = "C.UTF-8",
        };
}

using Oriel.Desktops.Node;
using Oriel.Images.Store;

namespace Oriel.Desktops.Creation;

/// <summary>What all creations of this node share.</summary>
internal sealed record CreationContext(DesktopOptions Options, BootSlots Slots, ImageStore Images, TimeProvider Clock);

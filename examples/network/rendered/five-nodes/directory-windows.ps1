# check     reads the rules with PowerShell's own parser, says what else would count, and changes nothing
# apply     saves what is there, sets the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
# export    prints what the firewall really does, as JSON; add: | Out-File held.json -Encoding utf8
# Only rules of the group controlroom in the machine's own group policy are touched.
#Requires -Version 3.0
#Requires -RunAsAdministrator
param(
    [Parameter(Mandatory = $true)]
    [ValidateSet('check', 'apply', 'confirm', 'rollback', 'export')]
    [string] $Step
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$rules = Join-Path $PSScriptRoot 'directory-rules.ps1'
$state = Join-Path $env:ProgramData 'controlroom-firewall'
$task = 'controlroom-firewall-rollback'
$kept = @('Enabled', 'DefaultInboundAction', 'DefaultOutboundAction', 'AllowInboundRules', 'AllowLocalFirewallRules')

function Invoke-Check {
    $tokens = $null
    $errors = $null
    [void][System.Management.Automation.Language.Parser]::ParseFile($rules, [ref]$tokens, [ref]$errors)
    if ($errors.Count -gt 0) { throw "$rules cannot be read: $($errors[0].Message)" }
    $others = @(Get-NetFirewallRule -PolicyStore ActiveStore -Enabled True |
        Where-Object { $_.PolicyStoreSourceType -eq 'GroupPolicy' -and $_.Group -ne 'controlroom' })
    foreach ($other in $others) { Write-Warning "counts besides, from group policy: $($other.DisplayName)" }
}

function Update-Policy {
    gpupdate.exe /target:computer /force | Out-Null
    if ($LASTEXITCODE -ne 0) { throw 'gpupdate failed; the rules are written but not yet in force' }
}

function Invoke-Rollback {
    Unregister-ScheduledTask -TaskName $task -Confirm:$false -ErrorAction SilentlyContinue
    $before = Join-Path $state 'before.ps1'
    if (Test-Path $before) {
        . $before
        Copy-Item $before (Join-Path $state 'now.ps1') -Force
    }
    else {
        Remove-NetFirewallRule -PolicyStore localhost -Group 'controlroom' -ErrorAction SilentlyContinue
        foreach ($entry in Import-Clixml (Join-Path $state 'profiles.xml')) {
            $values = @{}
            foreach ($key in $kept) { $values[$key] = "$($entry.$key)" }
            Set-NetFirewallProfile -PolicyStore localhost -Name $entry.Name @values
        }
        Remove-Item (Join-Path $state 'now.ps1') -ErrorAction SilentlyContinue
    }
    Update-Policy
    Write-Output 'rolled back'
}

function Invoke-Apply {
    Invoke-Check
    New-Item -ItemType Directory -Force $state | Out-Null
    $now = Join-Path $state 'now.ps1'
    $before = Join-Path $state 'before.ps1'
    if (Test-Path $now) {
        Copy-Item $now $before -Force
    }
    else {
        Remove-Item $before -ErrorAction SilentlyContinue
        Get-NetFirewallProfile -PolicyStore localhost | Select-Object (@('Name') + $kept) |
            Export-Clixml (Join-Path $state 'profiles.xml')
    }
    $argument = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$PSCommandPath`" rollback"
    $action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $argument
    $trigger = New-ScheduledTaskTrigger -Once -At (Get-Date).AddSeconds(120)
    Register-ScheduledTask -TaskName $task -Action $action -Trigger $trigger -User 'SYSTEM' -RunLevel Highest -Force |
        Out-Null
    . $rules
    Copy-Item $rules $now -Force
    Update-Policy
    Write-Output "applied; confirm within 120 seconds: $PSCommandPath confirm"
}

function Invoke-Confirm {
    Unregister-ScheduledTask -TaskName $task -Confirm:$false
    Write-Output 'confirmed'
}

function Get-Filters([object[]] $found) {
    $map = @{}
    foreach ($filter in $found) { $map[$filter.InstanceID] = $filter }
    return $map
}

function Invoke-Export {
    $store = @{ PolicyStore = 'ActiveStore' }
    $ports = Get-Filters @(Get-NetFirewallPortFilter @store)
    $addresses = Get-Filters @(Get-NetFirewallAddressFilter @store)
    $programs = Get-Filters @(Get-NetFirewallApplicationFilter @store)
    $services = Get-Filters @(Get-NetFirewallServiceFilter @store)
    $interfaces = Get-Filters @(Get-NetFirewallInterfaceFilter @store)
    $types = Get-Filters @(Get-NetFirewallInterfaceTypeFilter @store)
    $security = Get-Filters @(Get-NetFirewallSecurityFilter @store)
    $table = foreach ($rule in Get-NetFirewallRule @store) {
        $id = $rule.InstanceID
        [ordered]@{
            Name = $rule.Name
            DisplayName = $rule.DisplayName
            Group = $rule.Group
            Enabled = "$($rule.Enabled)"
            Profile = "$($rule.Profile)"
            Direction = "$($rule.Direction)"
            Action = "$($rule.Action)"
            Protocol = "$($ports[$id].Protocol)"
            LocalPort = @($ports[$id].LocalPort)
            RemotePort = @($ports[$id].RemotePort)
            IcmpType = @($ports[$id].IcmpType)
            DynamicTarget = "$($ports[$id].DynamicTarget)"
            LocalAddress = @($addresses[$id].LocalAddress)
            RemoteAddress = @($addresses[$id].RemoteAddress)
            Program = "$($programs[$id].Program)"
            Package = "$($programs[$id].Package)"
            Service = "$($services[$id].Service)"
            InterfaceAlias = @($interfaces[$id].InterfaceAlias)
            InterfaceType = "$($types[$id].InterfaceType)"
            Authentication = "$($security[$id].Authentication)"
            Encryption = "$($security[$id].Encryption)"
            OverrideBlockRules = "$($security[$id].OverrideBlockRules)"
            LocalUser = "$($security[$id].LocalUser)"
            RemoteUser = "$($security[$id].RemoteUser)"
            RemoteMachine = "$($security[$id].RemoteMachine)"
        }
    }
    $profiles = foreach ($entry in Get-NetFirewallProfile @store) {
        [ordered]@{
            Name = $entry.Name
            Enabled = "$($entry.Enabled)"
            DefaultInboundAction = "$($entry.DefaultInboundAction)"
            DefaultOutboundAction = "$($entry.DefaultOutboundAction)"
            AllowInboundRules = "$($entry.AllowInboundRules)"
        }
    }
    [ordered]@{ Profiles = @($profiles); Rules = @($table) } | ConvertTo-Json -Depth 4
}

switch ($Step) {
    'check' { Invoke-Check }
    'apply' { Invoke-Apply }
    'confirm' { Invoke-Confirm }
    'rollback' { Invoke-Rollback }
    'export' { Invoke-Export }
}

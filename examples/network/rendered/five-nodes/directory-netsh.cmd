@echo off
rem check     says whether this session may change the firewall, and changes nothing: netsh has no check of its own
rem apply     saves the machine's own policy, runs the rules, and rolls back after 2 minutes unless confirmed
rem confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
rem rollback  puts back the policy that was there before the last apply
setlocal
set "rules=%~dp0directory.netsh"
set "state=%ProgramData%\controlroom-firewall"
set "task=controlroom-firewall-rollback"
if /i "%~1"=="check" goto check
if /i "%~1"=="apply" goto apply
if /i "%~1"=="confirm" goto confirm
if /i "%~1"=="rollback" goto rollback
echo usage: %~nx0 check^|apply^|confirm^|rollback 1>&2
exit /b 2

:check
if not exist "%rules%" (echo %rules% is missing 1>&2 & exit /b 1)
net session >nul 2>&1 || (echo run this as an administrator 1>&2 & exit /b 1)
exit /b 0

:apply
call "%~f0" check || exit /b 1
if not exist "%state%" mkdir "%state%"
if exist "%state%\policy.wfw" del "%state%\policy.wfw"
(echo advfirewall set store gpo=localhost& echo advfirewall export "%state%\policy.wfw") >"%state%\save.netsh"
netsh -f "%state%\save.netsh"
if not exist "%state%\policy.wfw" (echo the policy could not be saved; nothing was changed 1>&2 & exit /b 1)
schtasks /create /tn "%task%" /tr "\"%~f0\" rollback" /sc minute /mo 2 /ru SYSTEM /rl highest /f >nul || exit /b 1
netsh -f "%rules%"
gpupdate /target:computer /force >nul
echo applied; confirm within 2 minutes: "%~f0" confirm
exit /b 0

:confirm
schtasks /delete /tn "%task%" /f >nul || exit /b 1
echo confirmed
exit /b 0

:rollback
schtasks /delete /tn "%task%" /f >nul 2>&1
(echo advfirewall set store gpo=localhost& echo advfirewall import "%state%\policy.wfw") >"%state%\restore.netsh"
netsh -f "%state%\restore.netsh"
gpupdate /target:computer /force >nul
echo rolled back
exit /b 0

using './machines.bicep'

param workspaceName = ''
param machineIds = []

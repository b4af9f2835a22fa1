using './machines.bicep'

param workspaceName = ''
param machineNames = []
